"""Who judges documents: the room that posts them, as it alone knows its mapping. It brings a module `validation`."""

from billing_assets.areas import verbs
from billing_assets.erp.staging.incoming import Validation
from billing_assets.foundation.runtime import Runtime


def validation(runtime: Runtime) -> Validation:
    """What documents are judged by. Raises MappingError."""
    (judge,) = verbs("validation", "validation", runtime.settings.areas)
    found: Validation = judge(runtime)
    return found
