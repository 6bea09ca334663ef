/** Bundles the page into ui.html, ui.js and ui.css in a folder. */
export function bundlePage(folder: string): Promise<void>;
