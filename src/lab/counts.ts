/** What a shaped link has done, for those who want to know which losses were meant. */
export interface WayCounts {
  /** All that came in, without the frames by which neighbours find each other. */
  packets: number;
  lost: number;
  queueFull: number;
  duplicated: number;
  heldBack: number;
  /** Not meant: more were under way than there is memory for. */
  noRoom: number;
  /** Not meant: the shaper was too late to take them, or they were longer than the link's MTU. */
  missed: number;
  /** Not meant: the interface did not take them, for instance because it is down. */
  refused: number;
}

export interface WireCounts {
  toServer: WayCounts;
  toClient: WayCounts;
}
