"""Bad input, in quantity: odd rows through the real staging, odd answers through the real client."""
