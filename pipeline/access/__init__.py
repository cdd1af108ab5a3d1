"""Who somebody is and what they may do: accounts, sign-in, sessions and the policy."""
