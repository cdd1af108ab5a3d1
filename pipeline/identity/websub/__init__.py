"""The hub (W3C WebSub): subscriptions that are verified and end, and signed delivery that is tried until it succeeds."""
