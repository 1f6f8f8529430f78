"""The Streamlit app and the commands `refdesk app` and `refdesk demo`."""
