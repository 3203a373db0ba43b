// One statement for each operation. Who may is part of each: without the participant's row there is no conversation.

export const USER = {
  name: 'user',
  text: 'SELECT id, name FROM users WHERE handle = $1',
}

export const MEMBER = {
  name: 'member',
  text: 'SELECT FROM participants WHERE conversation_id = $1 AND user_id = $2',
}

// $1 conversation, $2 viewer, $3 messages, $4 participants
export const PAGE = {
  name: 'page',
  text: `
    SELECT c.id, c.kind, c.title,
      (SELECT json_agg(page ORDER BY page.seq) FROM (
        SELECT m.seq, m.body, m.created_at AS "createdAt", m.sender_id AS "senderId", u.name AS "senderName"
        FROM messages m JOIN users u ON u.id = m.sender_id
        WHERE m.conversation_id = c.id
        ORDER BY m.seq DESC LIMIT $3
      ) page) AS messages,
      (SELECT json_agg(page) FROM (
        SELECT p.role, p.last_read_seq AS "lastReadSeq", p.user_id AS "userId", u.name
        FROM participants p JOIN users u ON u.id = p.user_id
        WHERE p.conversation_id = c.id
        ORDER BY p.joined_at, p.user_id LIMIT $4
      ) page) AS participants
    FROM participants own JOIN conversations c ON c.id = own.conversation_id
    WHERE own.conversation_id = $1 AND own.user_id = $2`,
}

// $1 viewer, $2 conversations, $3 participants of each, $4 and $5: after this activity and id, or null
export const INBOX = {
  name: 'inbox',
  text: `
    WITH page AS (
      SELECT c.id, c.title, c.last_activity_at, c.last_seq, own.last_read_seq
      FROM participants own JOIN conversations c ON c.id = own.conversation_id
      WHERE own.user_id = $1 AND ($4::timestamptz IS NULL OR (c.last_activity_at, c.id) < ($4, $5::uuid))
      ORDER BY c.last_activity_at DESC, c.id DESC LIMIT $2 + 1
    )
    SELECT page.id, page.title, page.last_activity_at AS "lastActivityAt",
      page.last_seq AS "lastSeq", page.last_read_seq AS "lastReadSeq",
      m.body, m.created_at AS "createdAt", m.sender_id AS "senderId", u.name AS "senderName",
      (SELECT json_agg(people) FROM (
        SELECT p.role, p.last_read_seq AS "lastReadSeq", p.user_id AS "userId", pu.name
        FROM participants p JOIN users pu ON pu.id = p.user_id
        WHERE p.conversation_id = page.id
        ORDER BY p.joined_at, p.user_id LIMIT $3
      ) people) AS participants
    FROM page
    LEFT JOIN messages m ON m.conversation_id = page.id AND m.seq = page.last_seq
    LEFT JOIN users u ON u.id = m.sender_id
    ORDER BY page.last_activity_at DESC, page.id DESC`,
}

// $1 conversation, $2 sender, $3 the sender's own key, $4 body. The row lock of the conversation is held until COMMIT, so
// seq has no hole and its order is the commit order; a repeat finds the original.
export const SEND = {
  name: 'send',
  text: `
    WITH original AS (
      SELECT seq, body, created_at FROM messages
      WHERE conversation_id = $1 AND sender_id = $2 AND client_message_id = $3
    ), conversation AS (
      UPDATE conversations
      SET last_seq = last_seq + 1, last_activity_at = greatest(last_activity_at, clock_timestamp())
      WHERE id = $1 AND NOT EXISTS (SELECT FROM original)
        AND EXISTS (SELECT FROM participants WHERE conversation_id = $1 AND user_id = $2)
      RETURNING last_seq AS seq, last_activity_at AS at
    ), message AS (
      INSERT INTO messages (conversation_id, seq, sender_id, client_message_id, body, created_at)
      SELECT $1, seq, $2, $3, $4, at FROM conversation
    ), receipt AS (
      UPDATE participants p SET last_read_seq = conversation.seq
      FROM conversation WHERE p.conversation_id = $1 AND p.user_id = $2
    )
    SELECT true AS "isNew", seq, $4 AS body, at AS "createdAt" FROM conversation
    UNION ALL
    SELECT false, seq, body, created_at FROM original`,
}
