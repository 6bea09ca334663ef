import type { FrameView } from '@mk/libmk/dispatcher/frame-view';

/** Memory handed to a dispatcher, and the number by which upcalls name it. */
export interface HandedFrame {
  readonly frame: number;
  readonly view: FrameView;
}
