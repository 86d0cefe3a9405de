"""What calls and texts cost: the table [tariff] of hq.toml, for the cost of a contact and the expense ledger.

    [tariff]
    currency = "INR"
    sms = 0.50          # one part of an SMS that a box sends
    minute = 0.60       # one minute of a call that a box places
    sim_month = 199     # the plan of one SIM for 30 days

All prices stand together or not at all: nothing is taken to be free because somebody forgot it.
"""

from __future__ import annotations

from dataclasses import dataclass

from edge.settings import Table


@dataclass(frozen=True, slots=True)
class Tariff:
    """Prices in `currency`: of one SMS part, of one minute of calls that we place, of a SIM's plan for 30 days."""

    sms: float
    minute: float
    sim_month: float
    currency: str


def read(top: Table) -> Tariff | None:
    """The tariff in a configuration, None when it has none. Problems are noted in the table, as everywhere."""
    if "tariff" not in top:
        return None
    table = top.table("tariff")
    sms, minute, sim_month = (table.decimal(name, high=1e6) for name in ("sms", "minute", "sim_month"))
    return Tariff(sms, minute, sim_month, table.text("currency", pattern="[A-Z]{3}", allowed='three letters, "INR"'))
