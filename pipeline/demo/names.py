"""Words for the demo: names of people who do not exist, schools, descriptions. Everything made of them is labelled demo."""

NAMES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "dj": (
        ("Amina", "Hodan", "Fatouma", "Kadra", "Hawa", "Saada", "Nima", "Ayan", "Omar", "Abdi", "Houssein", "Moussa", "Idriss", "Youssouf",
         "Bilan", "Guedi", "Zahra", "Djama", "Robleh", "Warsama"),
        ("Ali", "Hassan", "Farah", "Ahmed", "Abdillahi", "Robleh", "Guelleh", "Waberi", "Elmi", "Dirir", "Bourhan", "Aden", "Daher",
         "Barreh", "Okieh"),
    ),
    "ncr": (
        ("Asha", "Meena", "Sunita", "Rekha", "Pooja", "Kavita", "Neha", "Anjali", "Rajesh", "Amit", "Suresh", "Vikram", "Manoj", "Deepak",
         "Sanjay", "Arun", "Farhan", "Imran", "Harpreet", "Gurmeet"),
        ("Sharma", "Verma", "Gupta", "Singh", "Yadav", "Kumar", "Chauhan", "Mishra", "Khan", "Ansari", "Kaur", "Saxena", "Joshi", "Bhatia",
         "Tyagi", "Rawat"),
    ),
}  # fmt: skip
ANY_NAMES = NAMES["ncr"]  # a state that is not listed borrows these

SCHOOL_KINDS = {
    "dj": ("Primary School", "Middle School", "Lycee", "Girls School"),
    "ncr": ("Govt Primary School", "Govt Senior Secondary School", "Kendriya School", "Girls Inter College"),
}

# One list per report type; {place} is the locality. At least 20 characters each, as the app asks.
DESCRIPTIONS: dict[str, tuple[str, ...]] = {
    "StrayDogAggressive": (
        "A dog barks at the children at the gate and snaps when they run. {place}.",
        "Brown dog near the bus stop of {place} chased two pupils this morning.",
        "It growls at everybody who passes the tea stall; a boy was nearly bitten.",
        "Aggressive dog guards the lane behind the school, pupils take a long way round.",
        "Two dogs fight in front of the school of {place} and go for people who come near.",
    ),
    "StrayDogPack": (
        "Five or six dogs together on the sports ground of {place}, since about a week.",
        "A pack sleeps under the market stalls and follows the children home.",
        "Four dogs roam between the school and the mosque of {place} at noon.",
        "Several dogs at the waste container, more of them every day.",
    ),
    "StrayDogInjured": (
        "The dog limps badly, its hind leg seems to be broken. It lies in the shade.",
        "Dog hit by a motorbike near {place}, it bleeds and cannot get up.",
        "Very thin dog with open wounds on its back, probably mange.",
        "A bitch with puppies behind the water tank, one of her eyes is infected.",
    ),
    "StrayDogStandard": (
        "A calm dog without a collar has been sitting at the school gate for days.",
        "Single stray near the shops of {place}, shy but always there.",
        "White and brown dog searches the bins behind the canteen every afternoon.",
        "Young stray follows the pupils from {place} to the school.",
        "One dog sleeps on the stairs of the school, no owner known in the area.",
    ),
}
LANDMARKS = ("Opposite the pharmacy", "Behind the water tower", "Next to the bakery", "At the roundabout", "Near the bus stop",
             "Beside the football ground", "In front of the clinic", "By the old well")  # fmt: skip

VERIFY_REMARKS = ("Dog and place are clear.", "Stray, no collar. Place matches.", "Clear photo, selfie at the same spot.", "Good evidence.")
REJECT_REMARKS = {
    "POOR_QUALITY": "Too blurred to tell what it shows.",
    "NOT_A_DOG": "This is a goat.",
    "DOMESTIC_DOG": "The dog wears a collar and stands in a yard.",
    "FRAUDULENT": "A photo of a screen, not of a street.",
}
SEND_BACK_COMMENT = "On which side of the road was the dog? The photo does not show it."
ESCALATE_COMMENT = "The photo looks altered to me; please look at it."
UNABLE_REMARKS = {
    "DOG_MOVED": "People there saw it yesterday, it has moved on.",
    "INCORRECT_LOCATION": "There is no such corner at this place.",
    "DOG_ALREADY_CAPTURED": "A colleague had taken it in the morning.",
    "SEARCH_TIMEOUT": "Searched for an hour, nothing found.",
}
CAPTURE_REMARKS = ("Caught with a net, no injuries.", "Taken to the shelter.", "Calm, walked on the leash.", "Needed two of us, went well.")
