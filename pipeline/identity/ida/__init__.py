"""The authentication side: takes events of credentials, stores what they lead to, says so, and answers whether somebody is somebody."""
