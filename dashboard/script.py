"""What Streamlit runs for every rerun of a tab. All of it is in dashboard/console.py, which is imported once and tested."""

from dashboard import console

console.render()
