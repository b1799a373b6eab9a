"""What an agent without any canned responses of its own can still say."""

from __future__ import annotations

from dataclasses import dataclass

from sessions_app.events import Purpose


@dataclass(frozen=True)
class SmallTalk:
    """A canned response that is always there. Those of the business's own win."""

    id: str
    value: str
    purpose: Purpose = Purpose.ANSWER
    signals: tuple[str, ...] = ()
    # Whether saying it means that a human takes over.
    hands_over: bool = False


SMALL_TALK = (
    SmallTalk(
        "small-talk-hello",
        "Hello{% if customer.is_known %} {{ customer.first_name }}{% endif %}! How can I help you?",
        signals=(
            "Hello",
            "Hi there",
            "Hey",
            "Good morning",
            "Good afternoon",
            "Good evening",
            "Hallo",
            "Bonjour",
            "Hola",
            "Hello, how are you?",
        ),
    ),
    SmallTalk(
        "small-talk-thanks",
        "You're welcome{% if customer.is_known %}, {{ customer.first_name }}{% endif %}!",
        signals=("Thank you", "Thanks a lot", "Perfect, thanks", "Great, thank you", "Danke", "Merci", "Gracias"),
    ),
    SmallTalk(
        "small-talk-goodbye",
        "Goodbye, and thank you for writing to us.",
        signals=("Goodbye", "Bye bye", "See you", "Have a nice day", "That is all, bye"),
    ),
    SmallTalk(
        "small-talk-help",
        "Gladly. Tell me in a few words what it is about. What I do not know, I pass on to a colleague.",
        signals=("Help", "I need help", "Can you help me?", "I have a question", "What can you do?", "Hilfe"),
    ),
    SmallTalk(
        "small-talk-bot",
        "I am {{ agent.name }}, a computer program. When you would rather talk to a person, say so, and I ask a"
        " colleague.",
        signals=(
            "Are you a human?",
            "Are you a real person?",
            "Are you a bot?",
            "Are you a robot?",
            "Am I talking to a human?",
            "Is this an AI?",
            "Who are you?",
            "What is your name?",
        ),
    ),
    SmallTalk(
        "small-talk-human",
        "Of course. I am asking a colleague to join this conversation; they will answer you here.",
        signals=(
            "I want to talk to a human",
            "Can I speak with a real person",
            "Connect me to an agent",
            "Let me talk to somebody from support",
            "Can a human help me?",
            "I need a person",
            "Can I talk to someone?",
            "Are you a bot? I need a person",
        ),
        hands_over=True,
    ),
    SmallTalk(
        "small-talk-greeting",
        "Hello{% if customer.is_known %} {{ customer.first_name }}{% endif %}! I am {{ agent.name }}."
        " How can I help you?",
        Purpose.GREETING,
    ),
    SmallTalk(
        "small-talk-no-answer",
        "I am sorry, I do not know the answer to that. I am asking a colleague, who will answer you here.",
        Purpose.NO_ANSWER,
    ),
    SmallTalk("small-talk-buy-time", "One moment, please. I am looking into it.", Purpose.BUY_TIME),
    SmallTalk("small-talk-follow-up", "Is there anything else that I can help you with?", Purpose.FOLLOW_UP),
)
