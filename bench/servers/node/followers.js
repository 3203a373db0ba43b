// Who follows which conversation. An event is executed once for all who ask alike, encoded once, and goes straight to
// their sockets, the operation's id spliced in.

import { execute } from 'graphql'

export class Followers {
  #groups = new Map() // conversation → how they ask → group

  // An async iterator that never brings anything by itself: what happens is written to the socket. It ends with `return`.
  follow(conversation, { key, args, socket, id }) {
    const follower = { socket, id }
    let groups = this.#groups.get(conversation)
    if (groups === undefined) this.#groups.set(conversation, (groups = new Map()))
    let group = groups.get(key)
    if (group === undefined) groups.set(key, (group = { args, followers: new Set() }))
    group.followers.add(follower)
    let end
    const ended = new Promise((resolve) => {
      end = () => resolve({ done: true, value: undefined })
    })
    const leave = async () => {
      group.followers.delete(follower)
      if (group.followers.size === 0) groups.delete(key)
      if (groups.size === 0) this.#groups.delete(conversation)
      end()
      return ended
    }
    return { [Symbol.asyncIterator]() { return this }, next: () => ended, return: leave }
  }

  tell(conversation, event) {
    for (const { args, followers } of this.#groups.get(conversation)?.values() ?? []) {
      const payload = JSON.stringify(execute({ ...args, rootValue: { conversationEvents: event } }))
      const frames = new Map() // id → text; clients tend to give the same ids
      for (const { socket, id } of followers) {
        let frame = frames.get(id)
        if (frame === undefined) {
          frame = Buffer.from(`{"id":${JSON.stringify(id)},"type":"next","payload":${payload}}`)
          frames.set(id, frame)
        }
        socket.send(frame, { binary: false })
      }
    }
  }
}
