"""The five agents of the campaign. Each is a function from the state of the call to what the agent came to."""

import reamon
from reamon.demo.models import LOCAL, STANDARD, STRONG
from reamon.demo.office import Office
from reamon.demo.prompts import prompt
from reamon.demo.state import CallState
from reamon.demo.teamwork import Answer, Update, in_time

WORTH_A_VISIT = 0.7
OBJECTIONS_BEFORE_ESCALATION = 2
OBJECTIONS_BEFORE_VISIT = 3

_OUTCOMES = {
    "escalate": "escalated",
    "decline": "not_interested",
    "callback": "callback",
    "information": "information_sent",
}


@reamon.trace_agent(capture="output")
@in_time
async def conversation(state: CallState, office: Office) -> Answer:
    """Finds out what the lead wants, and answers or hands over to a specialist."""
    heard = await office.models.decide(STANDARD, prompt("conversation", state))
    update: Update = {}
    if "reply" in heard:
        update = {"reply": heard["reply"], "outcome": _OUTCOMES.get(heard["intent"])}
    return Answer(heard["next_agent"], heard["reasoning"], heard["confidence"], update)


@reamon.trace_agent(capture="output")
@in_time
async def qualification(state: CallState, office: Office) -> Answer:
    """Judges how likely a sale is, and passes on whoever is worth a visit."""
    judged = await office.models.decide(STANDARD, prompt("qualification", state))
    if judged["score"] >= WORTH_A_VISIT:
        return Answer("scheduler", judged["reasoning"], judged["confidence"], {"score": judged["score"]})
    update = {"score": judged["score"], "reply": judged["reply"]}
    return Answer("analytics", "Not yet worth a visit.", judged["confidence"], update)


@reamon.trace_agent(capture="output")
@in_time
async def objection_handler(state: CallState, office: Office) -> Answer:
    """Answers an objection: the second one with the stronger model, the third with the offer of a visit as well."""
    objections = state["objections"] + 1
    escalated = objections >= OBJECTIONS_BEFORE_ESCALATION
    if escalated and not state["escalated"]:
        reamon.current_span().add_event("tier_escalated", model=STRONG.name, objections=objections)
    await office.library.figures_about(state["said"])
    reply = await office.models.speak(STRONG if escalated else STANDARD, prompt("objection_handler", state))
    update = {"objections": objections, "escalated": escalated, "reply": reply}
    confidence = 1 - objections / 5
    if objections >= OBJECTIONS_BEFORE_VISIT:
        return Answer("scheduler", "Enough was said; a visit says more.", confidence, update)
    return Answer("analytics", "The objection is answered.", confidence, update)


@reamon.trace_agent(capture="output")
@in_time
async def scheduler(state: CallState, office: Office) -> Answer:
    """Offers hours for a visit, and books the one that the lead names."""
    wish = await office.models.decide(STANDARD, prompt("scheduler", state))
    await office.calendar.free_hours(wish["day"])
    words = await office.models.speak(STANDARD, prompt("scheduler", state))
    update: Update = {"reply": f"{state['reply']} {words}".strip()}
    if wish["day"]:  # booked last: an agent that runs out of time before has promised nothing
        visit = await office.calendar.book(state["call_id"], wish["day"], wish["hour"])
        await office.voice.text_message(state["lead"], f"Your visit: {visit}.")
        update["outcome"] = "appointment"
    return Answer("analytics", wish["reasoning"], wish["confidence"], update)


@reamon.trace_agent(capture="output")
@in_time
async def analytics(state: CallState, office: Office) -> Answer:
    """Keeps the records, and sums up a call that is over with the local model, which costs nothing."""
    await office.records.save(state["call_id"], state["outcome"])
    if state["outcome"] is None:
        return Answer(None, "The call goes on.", 1.0)
    summary = await office.models.speak(LOCAL, prompt("analytics", state))
    return Answer(None, summary, 1.0)
