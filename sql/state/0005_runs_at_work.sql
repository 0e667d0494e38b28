-- Dagster's runs that are at work: each holds an advisory lock beside its row, and takes the row out when it ends in
-- order. A row without its lock is a run that died, on whatever machine.
create table billing.runs_at_work (
    run_id       text        primary key,
    began_at     timestamptz not null default clock_timestamp(),
    missed_since timestamptz  -- the first look at which the lock was not there
);
