-- A lease says when it was taken, so that a clock that was set back cannot keep a dead run's lease alive.
alter table billing.locked_batches add column leased_at timestamptz;
comment on column billing.locked_batches.leased_at is 'When the lease was taken or last renewed; one from the future is none';

-- A batch rests after a run that could not send all of it, but not when what was in its way has already gone by.
alter table billing.locked_batches add column rests boolean not null default true;
comment on column billing.locked_batches.rests is 'Whether the next run waits for the setting batches.retry_seconds';
