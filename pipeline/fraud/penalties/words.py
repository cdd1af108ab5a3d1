"""What led to a penalty, and what it is called, in the words of the person who reads it."""

from pipeline.masterdata.fraud_models import Penalty

NAMES_HI = {"WARNING": "चेतावनी", "COOLDOWN": "अस्थायी रोक", "SUSPENSION": "निलंबन", "BAN": "कार्यक्रम से निष्कासन"}
TAKEN_BACK = {"en_IN": "What led to it counts no longer.", "hi_IN": "जिस कारण यह कार्रवाई हुई थी, वह अब नहीं गिना जाता।"}


def name(step: Penalty, locale: str) -> str:
    """What the step is called."""
    return NAMES_HI[step.code] if locale == "hi_IN" else step.name


def reason(step: Penalty, rejections: int, by_fraud: bool, locale: str) -> str:
    """What led to it: so many rejected reports within so many days, or a confirmed fraud."""
    days = step.trigger_condition.within_days
    if locale == "hi_IN":
        if by_fraud:
            return "दो प्रशासकों द्वारा पुष्ट धोखाधड़ी"
        return f"{days} दिनों में {rejections} अस्वीकृत रिपोर्ट" if days else f"{rejections} अस्वीकृत रिपोर्ट"
    if by_fraud:
        return "a fraud that two administrators confirmed"
    reports = "1 rejected report" if rejections == 1 else f"{rejections} rejected reports"
    return f"{reports} within {days} days" if days else reports
