"""Service: complaints, faults, requests, and how people said they feel.

What is marked ``context()`` a channel may know before the data do: see docs/features.md.
"""

from nbo.features import FeatureSet, Words, days, table

tickets = table("tickets")
opened = tickets.where(state="open")
complaints = opened.where(kind="complaint")
faults = opened.where(kind="fault")
contacts = table("contacts")
surveys = table("surveys")
calls = table("calls")

TICKETS = FeatureSet(
    "tickets",
    Words("Service", "服务"),
    [
        opened.count(over=days(30, 90)),
        complaints.count(over=days(30, 90)),
        complaints.days_since("last", over=days(180)).context(),
        faults.count(over=days(30, 90)),
        opened.where(kind="cancel_intent").count(over=days(90)).context(),
        opened.where(kind="dispute").count(over=days(90)).context(),
        tickets.now.where(state="open").count().context(),
        contacts.count(over=days(90)),
        contacts.where(outcome="refused").count(over=days(90)),
        surveys.attribute("satisfaction"),
        calls.where(counterparty=["own_service_line", "own_complaint_line"]).count(over=days(30, 90)),
        calls.where(counterparty="own_complaint_line").days_since("last", over=days(90)).context(),
        tickets.now.where(kind="request", state="open").count().context(),
        surveys.attribute("rival_satisfaction"),
    ],
    idea="Complaints and network faults: Ahn, Han and Lee (2006), Telecommunications Policy 30",
)
