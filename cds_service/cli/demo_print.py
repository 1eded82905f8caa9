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
from cds_service.cli.tongue import terminal


@dataclass(frozen=True)
class Printer:
    """Prints the demo.

    Args:
        console: where to.
    """

    console: Console

    def start(self, service: str, fhir: str, patients: int, as_of: date) -> None:
        """Say what is running."""
        t = terminal().t
        lines = (
            t("FHIR server  {fhir}  ({patients} example patients, none of them real)", fhir=fhir, patients=patients),
            t(
                "cds-service  {service}/  (as of {day}, the day the examples were written for)",
                service=service,
                day=str(as_of),
            ),
        )
        for line in lines:
            self.console.print(line, soft_wrap=True)

    def other_port(self, usual: int, fhir: str) -> None:
        """Say that examples which name the usual port do not reach this FHIR server."""
        told = terminal().t(
            "Port {port} is taken: examples whose fhirServer has it need {fhir} instead.", port=str(usual), fhir=fhir
        )
        self.console.print(told, soft_wrap=True)

    def discovery(self, service: Mapping[str, Any]) -> None:
        """Show what discovery answered."""
        found = terminal().t(
            "The EHR discovers {service} for the hook {hook}.",
            service=f"[bold]{service['id']}[/bold]",
            hook=service["hook"],
        )
        self.console.print(f"\n{found}")

    def cards(self, story: str, why: str, cards: Sequence[Mapping[str, Any]], seconds: float) -> None:
        """Show one opened chart."""
        self.console.print()
        t = terminal().t
        self.console.rule(t("Chart of {patient}: {why}", patient=f"[bold]{story}[/bold]", why=why), align="left")
        if not cards:
            self.console.print(t("No card ({time} ms).", time=f"{seconds * 1000:.0f}"))
        for card in cards:
            self.console.print(Panel(_card(card), title=str(card["indicator"]), title_align="left", box=box.ROUNDED))
            self.console.print(f"{seconds * 1000:.0f} ms")

    def next_steps(self, service: str, fhir: str) -> None:
        """Say what to try next."""
        lines = [
            "",
            terminal().t("Try next:"),
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
        self.console.rule(terminal().t("A clinic: made-up patients, prescreened"), align="left")

    def clinic(self, clinic: Clinic) -> None:
        """Say what came of the clinic."""
        told = terminal().t(
            "{patients} prescreened, {listed} of them on the list of {trial}.",
            patients=clinic.patients,
            listed=clinic.listed,
            trial=clinic.trial,
        )
        self._lines([told])

    def worklist(self, service: str, clinic: Clinic) -> None:
        """Say where people work."""
        t = terminal().t
        lines = [
            "",
            t("In a browser:"),
            t("  the worklist            {url}", url=f"{service}/worklist/trials/{clinic.trial}"),
            t("  the patient at its top  {url}", url=f"{service}/worklist/entries/{clinic.first}"),
            t("  an EHR simulator        {url} (its cards link to the worklist)", url=f"{service}/simulator"),
        ]
        self._lines(lines)

    def _lines(self, lines: Sequence[str]) -> None:
        for line in lines:
            self.console.print(Text(line), soft_wrap=True)

    def waiting(self) -> None:
        """Say how to stop."""
        self.console.print("\n" + terminal().t("Serving until Ctrl-C."))


def _card(card: Mapping[str, Any]) -> RenderableType:
    parts: list[RenderableType] = [Text(str(card["summary"]), style="bold")]
    if card.get("detail"):
        parts += [Text(), Markdown(str(card["detail"]))]
    for suggestion in card.get("suggestions", []):
        button = f"[ {suggestion['label']} ]"
        if suggestion.get("isRecommended"):
            button = terminal().t("{button} (recommended)", button=button)
        parts.append(Text(button, style="cyan"))
    for link in card.get("links", []):
        parts.append(Text(f"{link['label']}: {link['url']}", style="blue"))
    return Group(*parts)
