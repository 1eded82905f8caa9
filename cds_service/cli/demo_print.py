"""How the demo shows itself in a terminal: cards as an EHR would, and what to try next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from rich import box
from rich.console import Console, Group, RenderableType
from rich.markdown import Markdown
from rich.panel import Panel
from rich.text import Text

from cds_service.cli.demo_worklist import Clinic


@dataclass(frozen=True)
class Printer:
    """Prints the demo.

    Args:
        console: where to.
    """

    console: Console

    def start(self, service: str, fhir: str, patients: int, as_of: date) -> None:
        """Say what is running."""
        self.console.print(f"FHIR server  {fhir}  ({patients} example patients, none of them real)", soft_wrap=True)
        self.console.print(
            f"cds-service  {service}/  (as of {as_of}, the day the examples were written for)", soft_wrap=True
        )

    def discovery(self, service: Mapping[str, Any]) -> None:
        """Show what discovery answered."""
        self.console.print(f"\nThe EHR discovers [bold]{service['id']}[/bold] for the hook {service['hook']}.")

    def cards(self, story: str, why: str, cards: Sequence[Mapping[str, Any]], seconds: float) -> None:
        """Show one opened chart."""
        self.console.print()
        self.console.rule(f"Chart of [bold]{story}[/bold]: {why}", align="left")
        if not cards:
            self.console.print(f"No card ({seconds * 1000:.0f} ms).")
        for card in cards:
            self.console.print(Panel(_card(card), title=str(card["indicator"]), title_align="left", box=box.ROUNDED))
            self.console.print(f"{seconds * 1000:.0f} ms")

    def next_steps(self, service: str, fhir: str) -> None:
        """Say what to try next."""
        lines = [
            "",
            "Try next:",
            f"  curl {service}/cds-services",
            f"  curl {service}/cds-services/npc-trials-patient-view -H 'Content-Type: application/json' \\",
            "    -d @fhir_examples/hooks/patient-view.full-prefetch.json",
            f"  curl {service}/api/evaluate -H 'Content-Type: application/fhir+json' \\",
            "    -d @fhir_examples/patients/stale-bilirubin/bundle.json",
            f"  curl {fhir}/Patient",
        ]
        self._lines(lines)

    def prescreening(self) -> None:
        """Say what takes some seconds."""
        self.console.print()
        self.console.rule("A clinic: made-up patients, prescreened", align="left")

    def worklist(self, service: str, clinic: Clinic) -> None:
        """Say where people work."""
        lines = [
            f"{clinic.patients} prescreened, {clinic.listed} of them on the list of {clinic.trial}.",
            "",
            "In a browser:",
            f"  the worklist            {service}/worklist/trials/{clinic.trial}",
            f"  the patient at its top  {service}/worklist/entries/{clinic.first}",
            f"  an EHR simulator        {service}/simulator (its cards link to the worklist)",
        ]
        self._lines(lines)

    def _lines(self, lines: Sequence[str]) -> None:
        for line in lines:
            self.console.print(Text(line), soft_wrap=True)

    def waiting(self) -> None:
        """Say how to stop."""
        self.console.print("\nServing until Ctrl-C.")


def _card(card: Mapping[str, Any]) -> RenderableType:
    parts: list[RenderableType] = [Text(str(card["summary"]), style="bold")]
    if card.get("detail"):
        parts += [Text(), Markdown(str(card["detail"]))]
    for suggestion in card.get("suggestions", []):
        mark = " (recommended)" if suggestion.get("isRecommended") else ""
        parts.append(Text(f"[ {suggestion['label']} ]{mark}", style="cyan"))
    for link in card.get("links", []):
        parts.append(Text(f"{link['label']}: {link['url']}", style="blue"))
    return Group(*parts)
