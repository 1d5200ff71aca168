-- Replies that a rule's webhook is asked for.

-- What a reader should know of a reply that was sent all the same: that its webhook failed, and why.
alter table messages add column note text;

-- The outbox claims questions apart from replies, so that a slow webhook never stands before an ordinary reply.
create index messages_webhooks on messages (due) where status = 'queued' and msg_type = 'webhook';
