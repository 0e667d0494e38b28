"""The fuzzer guided by coverage over the readers of Green Button feeds and CSV exports.

`python -m proving.bad_input.espi_fuzz SECONDS FOLDER`; `run` starts it in a process of its own, as `fuzz` says why.
"""

import sys
from pathlib import Path

from proving.bad_input import fuzz

AVAILABLE = fuzz.AVAILABLE


def run(seconds: float) -> fuzz.Fuzzed:
    """Fuzzes for about so long, beginning with the seeds. Raises ImportError where there is no atheris."""
    return fuzz.run(seconds, "proving.bad_input.espi_fuzz")


def main() -> None:
    """Fuzz until the time is over."""
    import atheris  # noqa: PLC0415

    with atheris.instrument_imports(include=["billing_assets.metering.import_engine"], enable_loader_override=False):
        from proving.bad_input import espi_targets  # noqa: PLC0415
    seconds, folder = sys.argv[1:]
    corpus = Path(folder, "corpus")
    corpus.mkdir(exist_ok=True)
    for number, seed in enumerate(espi_targets.seeds()):
        Path(corpus, str(number)).write_bytes(seed)
    words = Path(folder, "words.dict")
    words.write_text("".join(f'"{word}"\n' for word in espi_targets.WORDS if '"' not in word), encoding="utf-8")
    options = [f"-max_total_time={seconds}", "-rss_limit_mb=2048", "-print_final_stats=1", f"-dict={words}"]
    atheris.Setup([sys.argv[0], *options, f"-artifact_prefix={folder}/", str(corpus)], espi_targets.one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
