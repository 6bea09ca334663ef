# One image for every process of a cluster: `mk-node skb` or `mk-node core`, configured by the environment.

# The manifests first, so that a change of source does not reinstall the dependencies.
FROM node:20-bookworm-slim AS manifests
WORKDIR /mk
COPY . .
RUN find . -mindepth 2 -type f ! -name package.json -delete && find . -type d -empty -delete

FROM node:20-bookworm-slim AS build
WORKDIR /mk
COPY --from=manifests /mk/package.json /mk/package-lock.json /mk/.npmrc ./
COPY --from=manifests /mk/packages packages
RUN npm ci --loglevel=error
COPY . .
RUN node scripts/build.mjs

FROM node:20-bookworm-slim
ENV NODE_ENV=production
WORKDIR /mk
COPY --from=build /mk/dist dist
COPY --from=build /mk/packages/launcher/machines dist/machines
COPY --from=build /mk/packages/launcher/container/health.sh /usr/local/bin/mk-health
# What the bundles do not contain: WebAssembly that is loaded from its own files.
COPY --from=build /mk/node_modules/swipl-wasm node_modules/swipl-wasm
COPY --from=build /mk/node_modules/node-sqlite3-wasm node_modules/node-sqlite3-wasm
# The journal's lock: a native library, and the package that locates its binary.
COPY --from=build /mk/node_modules/fs-native-extensions node_modules/fs-native-extensions
COPY --from=build /mk/node_modules/which-runtime node_modules/which-runtime
COPY --from=build /mk/node_modules/require-addon node_modules/require-addon
COPY --from=build /mk/node_modules/bare-addon-resolve node_modules/bare-addon-resolve
COPY --from=build /mk/node_modules/bare-module-resolve node_modules/bare-module-resolve
COPY --from=build /mk/node_modules/bare-semver node_modules/bare-semver
# Wrappers, not links: programs look for one another beside their own file, and mkctl takes the secret as text.
RUN printf '#!/bin/sh\nexec node /mk/dist/mk-node.cjs "$@"\n' >/usr/local/bin/mk-node \
 && printf '#!/bin/sh\n[ -n "$MK_SECRET" ] || MK_SECRET=$(cat "$MK_SECRET_FILE")\nexport MK_SECRET\nexec node /mk/dist/mkctl.cjs "$@"\n' >/usr/local/bin/mkctl \
 && chmod 755 /usr/local/bin/mk-node /usr/local/bin/mkctl /usr/local/bin/mk-health \
 && install -d -o node -g node -m 700 /var/lib/mk
USER node
EXPOSE 7000
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 CMD ["mk-health"]
ENTRYPOINT ["mk-node"]
CMD ["core"]
