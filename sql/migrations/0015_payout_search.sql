-- Payouts of a tenant and a state, newest first, in the order in which lists page: with the id behind the time no list is sorted,
-- and the first page costs what it shows. Without it a search read every payout of the year, newest first, for states that few are in.

DROP INDEX payout.payout_queue;
CREATE INDEX payout_queue ON payout.payout (tenant_id, status, created_at, id);
