"""Run by HealthChain's own environment under uvicorn: its gateway with a handler that looks at nothing."""

from healthchain.gateway import CDSHooksService, HealthChainAPI
from healthchain.models import CDSRequest, CDSResponse

service = CDSHooksService()


@service.hook("patient-view", id="npc-trials-patient-view")
def trivial(request: CDSRequest) -> CDSResponse:
    """Answer one card, always the same."""
    card = {"summary": "A card", "indicator": "info", "source": {"label": "bench"}, "detail": "Nothing was looked at."}
    return CDSResponse(cards=[card])


app = HealthChainAPI()
app.register_service(service, path="/cds")
