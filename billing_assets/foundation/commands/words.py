"""What several commands ask of the words that they are given."""

from billing_assets.foundation.settings import SettingsError


def said(by: str, why: str) -> tuple[str, str]:
    """Who decides and why, without blanks around. Raises SettingsError where one of them says nothing."""
    if not by.strip() or not why.strip():
        raise SettingsError("--by and --why must say something: they are kept with the decision.")
    return by.strip(), why.strip()


def one_of(option: str, value: str | None, choices: tuple[str, ...]) -> None:
    """Raises SettingsError for a value that is not one of the choices."""
    if value is not None and value not in choices:
        raise SettingsError(f"{option} {value}: use one of {', '.join(choices)}.")
