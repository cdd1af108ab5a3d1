"""What people see: the Streamlit console, a process of its own. No SQL and no business rules here."""
