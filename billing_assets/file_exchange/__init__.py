"""Files to and from folders, on this machine or on SFTP servers: the same for every area that exchanges some."""
