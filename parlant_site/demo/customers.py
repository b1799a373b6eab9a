"""Lanternstay's customers, each from her number: profile, metadata with the gaps and oddities of real data, tags."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from parlant_site.common.ids import make_id
from parlant_site.demo.people import REGIONS, Region

EPOCH_MS = 1_735_689_600_000  # ids count from the first day of 2025, whatever the anchor
PLANS = {"free": 38, "starter": 29, "pro": 22, "trial": 8, "enterprise": 3}
MRR = {"free": (0, 0), "trial": (0, 0), "starter": (19, 79), "pro": (99, 450), "enterprise": (900, 6200)}
TAGS = (
    "VIP",
    "Trial",
    "Churn risk",
    "Beta tester",
    "Partner",
    "Newsletter",
    "Invoice by post",
    "Press",
    "Multi-property",
)
ODD = {
    "mrr": ("n/a", "", "1,200", "€49", "forty", "-1", "49.90 ", "0x1F"),
    "signup_date": ("2024-13-45", "yesterday", "03/04/2025", "", "2025-02-30"),
    "country": ("germany", "DE ", "??", "", "United Kingdom"),
    "newsletter": ("yes", "1", "TRUE", "maybe", ""),
    "rooms": ("twelve", "~20", "", "8.5"),
}
OPTIONAL = {"rooms": 0.88, "newsletter": 0.7, "phone": 0.4, "nps": 0.3, "source": 0.6, "last_invoice": 0.35}


@dataclass
class Profile:
    """A customer of the demo before she is written, and the random source from which the rest of her follows."""

    number: int
    id: str
    name: str
    region: Region
    metadata: dict[str, str]
    tags: list[str]
    age: timedelta
    creation_utc: datetime
    random: Random


def random_of(number: int) -> Random:
    """Answer the random source of a customer: her own, so that more customers do not change the first ones."""
    return Random(f"lanternstay/{number}")


def id_of(number: int) -> str:
    """Answer the id of a customer."""
    return make_id(EPOCH_MS + number * 1000, Random(f"id/{number}").getrandbits(64))


def profile(number: int, anchor: datetime) -> Profile:
    """Answer the customer of this number, from 0, who registered some time before the anchor."""
    random = random_of(number)
    region = random.choices(REGIONS, weights=[region.weight for region in REGIONS])[0]
    first, last = random.choice(region.first), random.choice(region.last).replace("_", " ")
    name = f"{last} {first}" if region.language == "ja" else f"{first} {last}"
    stay = random.choice(region.stays)
    plan = random.choices(list(PLANS), weights=list(PLANS.values()))[0]
    # The company grew: more of its customers are young.
    age = timedelta(days=365 * (1 - random.random() ** 0.6)) + timedelta(minutes=random.randint(5, 600))
    metadata = _metadata(random, region, stay=stay, plan=plan, signup=anchor - age, number=number)
    return Profile(number, id_of(number), name, region, metadata, _tags(random, plan), age, anchor - age, random)


def _metadata(random: Random, region: Region, *, stay: str, plan: str, signup: datetime, number: int) -> dict[str, str]:
    rooms = {"free": (1, 6), "trial": (2, 20), "starter": (3, 14), "pro": (8, 60), "enterprise": (60, 420)}[plan]
    values = {
        "plan": plan,
        "mrr": str(random.randint(*MRR[plan])),
        "country": region.country,
        "language": region.language,
        "company": stay,
        "email": f"{random.choice(('hello', 'info', 'booking', 'stay'))}{number}@example.com",
        "signup_date": signup.date().isoformat(),
        "rooms": str(random.randint(*rooms)),
        "newsletter": random.choice(("true", "true", "false")),
        "phone": f"+{random.randint(1, 98)} 555 {random.randint(0, 9999):04}",
        "nps": str(min(10, max(0, round(random.gauss(8, 2))))),
        "source": random.choice(("search", "friend", "fair", "partner", "ad")),
        "last_invoice": f"LS-{random.randint(10_000, 99_999)}",
    }
    kept = {key: value for key, value in values.items() if random.random() < OPTIONAL.get(key, 0.97)}
    for key, oddities in ODD.items():
        if key in kept and random.random() < 0.03:
            kept[key] = random.choice(oddities)
    if random.random() < 0.02:
        kept["Account Manager (old CRM)"] = random.choice(("J. Whitcombe", "—", "see notes\nsecond line", "😀"))
    return kept


def _tags(random: Random, plan: str) -> list[str]:
    chances = {
        "VIP": 0.7 if plan == "enterprise" else 0.05 if plan == "pro" else 0.004,
        "Trial": 1.0 if plan == "trial" else 0.0,
        "Churn risk": 0.05,
        "Beta tester": 0.06,
        "Partner": 0.02,
        "Newsletter": 0.3,
        "Invoice by post": 0.01,
        "Press": 0.003,
        "Multi-property": 0.4 if plan == "enterprise" else 0.04,
    }
    return [name for name in TAGS if random.random() < chances[name]]
