/** Which connections are open and which of them are idle, over all listeners: the oldest idle one makes room for a new one. */
import type { Socket } from 'node:net';

export interface Connections {
  readonly size: number;
  /** Takes a new connection in, or closes it when all others are at work. */
  add(socket: Socket): void;
  /** A request has begun on it. */
  busy(socket: Socket): void;
  /** A request on it has ended. */
  free(socket: Socket): void;
  closeIdle(): void;
  closeAll(): void;
}

/** Makes the set; `onRefused` is told of each connection that was closed to keep the limit. */
export function createConnections(maxConnections: number, onRefused: (which: 'new' | 'idle') => void): Connections {
  const underWay = new Map<Socket, number>();
  // In the order in which they became idle. A connection whose headers are still coming is idle too: of 1,024 that drip
  // theirs the oldest goes first, and a client that sends its request at once is not kept out.
  const idle = new Set<Socket>();

  const makeRoom = (): boolean => {
    const [oldest] = idle;
    if (oldest === undefined) return false;
    idle.delete(oldest);
    oldest.destroy();
    onRefused('idle');
    return true;
  };

  return {
    get size() {
      return underWay.size;
    },
    add(socket) {
      if (underWay.size >= maxConnections && !makeRoom()) {
        onRefused('new');
        socket.destroy();
        return;
      }
      underWay.set(socket, 0);
      idle.add(socket);
      socket.once('close', () => {
        underWay.delete(socket);
        idle.delete(socket);
      });
    },
    busy(socket) {
      const count = underWay.get(socket);
      if (count === undefined) return;
      underWay.set(socket, count + 1);
      idle.delete(socket);
    },
    free(socket) {
      const count = underWay.get(socket);
      if (count === undefined) return;
      underWay.set(socket, count - 1);
      if (count <= 1 && !socket.destroyed) idle.add(socket);
    },
    closeIdle() {
      for (const socket of idle) socket.destroy();
      idle.clear();
    },
    closeAll() {
      for (const socket of underWay.keys()) socket.destroy();
    },
  };
}
