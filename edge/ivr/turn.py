"""The orders that answer one event, put in their right order.

Rules of the room:
- What a take or a prompt must stop comes first.
- A prompt that confirms something stands behind the orders that write it: it says only what is on disk. A prompt that
  confirms nothing stands before them: no slow card is ever heard.
- A take begins before its step is written: she talks at the beep.
- Steps stand last, in the order in which things happened; EndCall closes the list.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from edge.dialogue import (
    Agree,
    Choice,
    ChooseLanguage,
    EndCall,
    EndRecord,
    Hush,
    JudgeCase,
    OpenCase,
    OptOut,
    Ordered,
    Record,
    Say,
    Step,
)

Write = Choice | ChooseLanguage | OptOut | Agree | OpenCase | JudgeCase


@dataclass(slots=True)
class Turn:
    """What handlers collect in any order; `orders` is what the host gets."""

    stops: list[EndRecord | Hush] = field(default_factory=list)
    writes: list[Write] = field(default_factory=list)
    confirms: bool = False  # does `say` tell that one of `writes` is done?
    say: Say | None = None
    record: Record | None = None
    steps: list[Step] = field(default_factory=list)
    ends: bool = False

    def orders(self) -> list[Ordered]:
        said: list[Ordered] = [self.say] if self.say else []
        spoken = [*self.writes, *said] if self.confirms else [*said, *self.writes]
        begun = [self.record] if self.record else []
        return [*self.stops, *spoken, *begun, *self.steps, *([EndCall()] if self.ends else [])]
