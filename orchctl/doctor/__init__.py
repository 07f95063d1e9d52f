"""What `orchctl doctor` looks at: the machine, this instance, and processes that it left behind."""
