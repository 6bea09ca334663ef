import type { ServePage } from '../boot/page-place.ts';

/** The page's server is loaded on request, so that no boot waits for it. */
export const servePage: ServePage = async (place, cluster) => {
  const { openLivePage } = await import('../ui/open-page.ts');
  return openLivePage(place, { cluster });
};
