/** How a program reaches Octopus; a WebSocket to the SKB, a dispatcher's channel, or a simulator. */
import type { OctopusNotification, OctopusReply, OctopusRequest } from '@mk/monitor-proto/octopus/requests';

/**
 * Requests are answered in the order they were made. Notifications come in the order of the changes; the one that a
 * request caused for its own client may come before or after the reply.
 */
export interface OctopusTransport {
  request(request: OctopusRequest): Promise<OctopusReply>;
  /** Returns what ends it. */
  onNotification(listener: (notification: OctopusNotification) => void): () => void;
  /**
   * Called when the service forgot this client's triggers and subscriptions, as after a restart. Returns what ends it.
   */
  onReset(listener: () => void): () => void;
  /**
   * Called when the session with the service is over, or must be taken to be. Returns what ends it. A transport without it
   * tells by resets alone: whoever holds something looks then whether it is there.
   */
  onSessionLost?(listener: (text: string) => void): () => void;
}
