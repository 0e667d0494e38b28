"""The ladder file: what it may say, and where customers are thought to be."""

from datetime import date, time
from pathlib import Path
from typing import Any

import pytest
import yaml

from billing_assets.foundation.calendar.business_days import is_business_day
from billing_assets.foundation.shipped import shipped
from billing_assets.receivables.reminders.due import Hours
from billing_assets.receivables.reminders.errors import PolicyError, TemplateWrong
from billing_assets.receivables.reminders.policy import load_policy
from billing_assets.sandbox.samples.contacts import _COUNTRIES
from proving.world.reminders import contact, shipped_policy, shipped_templates


def ladder(folder: Path, **changes: Any) -> Path:
    """The shipped file with other values."""
    values = yaml.safe_load(shipped("config/reminders.yaml").read_text())
    path = folder / "ladder.yaml"
    path.write_text(yaml.safe_dump(values | changes))
    return path


def test_the_shipped_ladder_begins_two_days_before_and_has_all_its_templates() -> None:
    terms = shipped_policy().terms("anywhere")
    assert [step.days for step in terms.ladder] == [-2, 0, 7, 14]
    assert terms.hours == Hours(time(9), time(17))
    shipped_templates().check(shipped_policy())


def test_a_branch_differs_where_it_says_so_and_only_there(tmp_path: Path) -> None:
    own = {"steps": [{"name": "once", "days": 3, "template": "overdue"}], "opens": "08:30", "sender": "a@b.example"}
    policy = load_policy(ladder(tmp_path, branches={"EIRE": own}))
    terms, others = policy.terms("EIRE"), policy.terms("France")
    assert [step.name for step in terms.ladder] == ["once"]
    assert terms.hours == Hours(time(8, 30), time(17))
    assert (terms.sender, terms.company) == ("a@b.example", others.company)
    assert others.ladder == shipped_policy().terms("France").ladder


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"steps": []}, "steps"),
        (
            {"steps": [{"name": "a", "days": 0, "template": "due"}, {"name": "a", "days": 1, "template": "due"}]},
            "same name",
        ),
        (
            {"steps": [{"name": "a", "days": 0, "template": "due"}, {"name": "b", "days": 0, "template": "due"}]},
            "order",
        ),
        ({"steps": [{"name": "a", "days": 0, "template": "../due"}]}, "steps.0.template"),
        ({"sender": "nobody"}, "sender"),
        ({"sender": "Cash <kasse@-fuß.example>"}, "sender"),
        ({"sender": "a@b.example\nBcc: c@d.example"}, "sender"),
        ({"company": {"name": "A", "email": "on our web site"}}, "company.email"),
        ({"time_zone": "Europe/Nowhere"}, "time_zone"),
        ({"time_zone": "../../etc/passwd"}, "time_zone"),
        ({"opens": "17:00"}, "business hours"),
        ({"opens": "16:15"}, "business hours must be an hour at least"),
        ({"region": "TX"}, "region"),
        ({"country": None}, "region"),
        ({"opens": "nine"}, "time of day"),
        ({"colour": "red"}, "colour"),
        ({"branches": {"EIRE": {"time_zones": {}}}}, "branches.EIRE.time_zones"),
        ({"minimum_amount": -1}, "minimum_amount"),
    ],
)
def test_what_is_wrong_in_the_ladder_is_named(changes: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"ladder\.yaml") as caught:
        load_policy(ladder(tmp_path, **changes))
    assert said in str(caught.value)


def test_a_ladder_that_is_no_yaml_or_not_there_is_named(tmp_path: Path) -> None:
    path = tmp_path / "ladder.yaml"
    with pytest.raises(PolicyError, match="cannot be read"):
        load_policy(path)
    path.write_text("steps: [")
    with pytest.raises(PolicyError, match="not valid YAML"):
        load_policy(path)


def test_a_step_without_its_templates_is_found_before_anything_is_sent(tmp_path: Path) -> None:
    steps = [{"name": "a", "days": 0, "template": "nothing"}]
    with pytest.raises(TemplateWrong, match=r"en/nothing\.txt\.j2"):
        shipped_templates().check(load_policy(ladder(tmp_path, branches={"EIRE": {"steps": steps}})))


@pytest.mark.parametrize("clock", ["17:30", 1050])
def test_hours_may_be_written_with_and_without_quotes(clock: object, tmp_path: Path) -> None:
    """YAML reads 17:30 as 1050, a number to the base of 60."""
    assert load_policy(ladder(tmp_path, closes=clock)).terms("").hours.closes == time(17, 30)


@pytest.mark.parametrize(
    ("who", "branch", "zone", "country", "region"),
    [
        ({"timezone": "Asia/Tokyo", "country": "FR"}, "", "Asia/Tokyo", "FR", None),
        ({"timezone": "Mars/Olympus", "country": "FR"}, "", "Europe/Paris", "FR", None),
        ({"country": "us", "region": "US-TX"}, "", "America/Chicago", "US", "TX"),
        ({"country": "DE", "region": "by"}, "", "Europe/Berlin", "DE", "BY"),
        ({"country": "DE", "region": "nowhere"}, "", "Europe/Berlin", "DE", None),
        ({"country": "RU"}, "", "UTC", "RU", None),  # eleven zones and nothing said: as the branch
        ({"country": "Atlantis"}, "EIRE", "Europe/Dublin", "IE", None),
        ({"country": "United Kingdom"}, "", "Europe/London", "GB", "ENG"),
        ({"country": "GBR", "region": "GB-SCT"}, "", "Europe/London", "GB", "SCT"),
        ({"country": "uk", "region": "Kent"}, "", "Europe/London", "GB", "ENG"),
        ({"country": "USA"}, "", "America/Chicago", "US", None),
        ({"country": "EL"}, "", "Europe/Athens", "GR", None),
        ({"country": "GB"}, "EIRE", "Europe/London", "GB", None),  # a part of the country that is not the branch's
        ({"country": None}, "EIRE", "Europe/Dublin", "IE", None),
    ],
)
def test_where_a_customer_is_the_contact_says_else_its_country_else_the_branch(
    who: dict[str, Any], branch: str, zone: str, country: str, region: str | None
) -> None:
    policy = shipped_policy()
    place = policy.place(contact("1", **who), policy.terms(branch))
    assert (place.time_zone.key, place.country, place.region) == (zone, country, region)


@pytest.mark.parametrize(
    ("country", "day", "works"),
    [
        ("GB", "2026-04-06", False),  # Easter Monday
        ("GB", "2026-08-31", False),  # Summer Bank Holiday
        ("United Kingdom", "2026-08-31", False),
        ("IE", "2026-08-31", True),
    ],
)
def test_as_it_ships_england_is_not_written_to_on_its_bank_holidays(country: str, day: str, works: bool) -> None:
    place = shipped_policy().place(contact("1", country=country), shipped_policy().terms(""))
    assert is_business_day(date.fromisoformat(day), place.country, place.region) is works


def test_every_country_of_the_sample_has_a_time_zone_of_its_own() -> None:
    policy = shipped_policy()
    for code, _ in _COUNTRIES.values():
        place = policy.place(contact("1", country=code), policy.terms(""))
        assert place.time_zone.key != "Europe/London" or code == "GB", code
