/** What one thing that goes wrong in interception is, in words that hold for every system. Who does it is for a run to say. */
export interface Fault {
  /** As `faults` of the cases name it. */
  number: number;
  /** Of its page. */
  slug: string;
  title: string;
  /** At the ends, or for whoever is there. */
  happens: string;
  /** In the kernel or in the proxy. */
  why: string;
  /** What to build or to configure instead. */
  instead: string;
  standard: string;
}
