"""The messages of the seeds: catalogue, contracts, renderers, and the log that is record and outbox in one."""
