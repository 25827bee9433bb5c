"""The reasons of research views: what they have no place for, and what cannot be de-identified."""

from typing import Final

from leadglass.model.codes import Code
from leadglass.model.reason import ADMIN, Reason

VIEWS: Final = (
    Reason(
        Code.VIEW_READ_ONLY,
        403,
        "Research views are for reading",
        "In a research view nothing can be stored, changed or deleted.",
        "Store in the archive itself, in a role that may.",
    ),
    Reason(
        Code.VIEW_REFUSED,
        403,
        "Not in the research view",
        "The research view does not show this: {what}.",
        "Ask for images, frames or attributes of single studies.",
    ),
    Reason(
        Code.SEARCH_KEY_HIDDEN,
        403,
        "Search key not shown to you",
        "What {key} holds is not shown to you, so you may not search by it.",
        "Search by what you see, such as the study date, the modality, or a patient ID as it is shown.",
    ),
    Reason(
        Code.VIEW_CHANGED,
        409,
        "The view has changed",
        "What you may see of this changed while it was on its way.",
        "Load it again.",
    ),
    Reason(
        Code.PROJECT_UNKNOWN,
        403,
        "Project unknown",
        "The policy shows you this in a research project that the gateway does not have.",
        ADMIN,
    ),
    Reason(
        Code.PROFILE_UNKNOWN,
        403,
        "Profile unknown",
        "How this project is de-identified is said by a profile that the gateway does not have.",
        ADMIN,
    ),
    Reason(
        Code.PROJECT_CLOSED,
        403,
        "Project closed",
        "The project through which you see this archive is closed, or was just given another key.",
        "Begin anew from the list of studies; if that is refused too, ask whoever runs the project.",
    ),
    Reason(
        Code.RENDER_ONLY,
        403,
        "Pictures alone",
        "You may look at pictures of this study, and the images themselves are not given out: {what}.",
        "Use a viewer that shows rendered pictures, or ask for a role that may retrieve.",
    ),
    Reason(
        Code.WATERMARK_IMPOSSIBLE,
        403,
        "No watermark possible",
        "You may see pictures of this study with a watermark, and this cannot bear one: {what}.",
        "Ask for rendered pictures as image/jpeg or image/png.",
    ),
    Reason(
        Code.REIDENTIFICATION_UNKNOWN,
        404,
        "Nothing to confirm",
        "There is no such question, or it was answered, or its time is over.",
        "Let whoever asks ask again.",
    ),
    Reason(
        Code.PIXELS_AT_RISK,
        403,
        "The pixels may show who the patient is",
        "This instance is kept back, because its pixels or its document may show who the patient is: {why}.",
        "Ask for an instance of another kind; an administrator can add a mask for the device, or an allowance to the profile.",
    ),
    Reason(
        Code.DEID_UNREADABLE,
        502,
        "Cannot be de-identified",
        "The archive gave an instance that cannot be read to its end, so nobody can say whom it names.",
        "Ask for the other instances of the study, and tell the administrator of the archive of this one.",
    ),
)
