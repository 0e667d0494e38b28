-- Bill groups say how severe what validations and quality checks find is.

alter table billing.bill_groups add column severities text[] not null default '{}';
comment on column billing.bill_groups.severities is 'Severities of codes in this group, where they are other ones: PERIOD_GAP:warning';
comment on column billing.bill_groups.checks_off is 'Codes of validations and quality checks that are not run';
