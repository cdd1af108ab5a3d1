"""The environment of a production that may start."""

PRODUCTION = {
    "APP_ENV": "production",
    "KEYS_FILE": "/keys",
    "DATABASE_URL": "postgresql://login@db/live?sslmode=verify-full",
    "API_PUBLIC_URL": "https://sdcrs.example",
    "RAZORPAYX_KEY_ID": "rzp_live_x",
    "RAZORPAYX_KEY_SECRET": "s",
    "RAZORPAYX_ACCOUNT_NUMBER": "1",
    "RAZORPAYX_WEBHOOK_SECRET": "w",
}
