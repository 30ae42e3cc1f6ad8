/** The views, in the order of their tabs. A view's name is also the fragment that opens it, and its key in the texts. */
export const viewNames = ["playground", "live", "jobs", "keys"] as const;
export type ViewName = (typeof viewNames)[number];

export const viewOf = (fragment: string): ViewName =>
  viewNames.find((name) => fragment === `#${name}`) ?? "playground";
