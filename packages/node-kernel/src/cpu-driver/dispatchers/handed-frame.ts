import type { FrameView } from '@mk/libmk/dispatcher/frame-view';

/** Memory that a dispatcher is given, and the number by which upcalls name it. */
export interface HandedFrame {
  readonly frame: number;
  readonly view: FrameView;
}
