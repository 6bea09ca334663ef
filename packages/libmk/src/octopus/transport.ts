/** A program's way to Octopus: a WebSocket to the SKB, a dispatcher's channel, or a simulator. */
import type { OctopusNotification, OctopusReply, OctopusRequest } from '@mk/monitor-proto/octopus/requests';

/**
 * Requests are answered in order. Notifications come in the order of the changes; the one that a request caused for its
 * own client may come before or after the reply.
 */
export interface OctopusTransport {
  request(request: OctopusRequest): Promise<OctopusReply>;
  /** Returns the function that ends it. */
  onNotification(listener: (notification: OctopusNotification) => void): () => void;
  /**
   * Called when the service forgot this client's triggers and subscriptions, as after a restart. Returns the function
   * that ends it.
   */
  onReset(listener: () => void): () => void;
  /**
   * Called when the session with the service is over, or must be assumed to be. Returns the function that ends it. A
   * transport without it only reports resets: holders then check what they still hold.
   */
  onSessionLost?(listener: (text: string) => void): () => void;
}
