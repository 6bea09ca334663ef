/** The environment variables that mirror the TLS options, for mkctl and mk-node. */
export const TLS_VARIABLES = {
  MK_TLS_DIR: {
    otherwise: '',
    doc: 'Folder with ca.pem and this process’s certificate and key (core-3.pem, core.pem, skb.pem, client.pem, or cert.pem; .key): links and control over mutual TLS.',
  },
  MK_TLS_CA: { otherwise: '', doc: 'File with the authority’s certificate, in place of the folder’s.' },
  MK_TLS_CERT: { otherwise: '', doc: 'File with this process’s certificate, in place of the folder’s.' },
  MK_TLS_KEY: { otherwise: '', doc: 'File with its key, in place of the folder’s.' },
  MK_TLS_REVOKED: {
    otherwise: '',
    doc: 'File with the serial numbers or SHA-256 fingerprints of revoked certificates, one a line. Absent: revoked.txt of the folder, if there is one.',
  },
} as const;

/** The environment variables that mk-launch and mkctl read. */
export const CLIENT_VARIABLES = {
  MK_STATE_DIR: {
    otherwise: '',
    doc: 'Folder for a record of each running cluster and the logs of detached ones. Absent: `mk` in XDG_RUNTIME_DIR, else `.mk` in the home folder, else `mk-UID` in the folder for temporary files.',
  },
  MK_SKB_ADDRESS: { otherwise: '', doc: 'The SKB’s host:port, for a cluster that runs elsewhere (mkctl --skb).' },
  MK_SECRET: { otherwise: '', doc: 'With it: the cluster’s secret, hex.' },
  MK_SECRET_FILE: { otherwise: '', doc: 'With it: a file with the secret (mkctl --secret-file).' },
  ...TLS_VARIABLES,
  MK_METRICS_TOKEN: {
    otherwise: '',
    doc: 'Bearer token that /metrics and /healthz of every process require; absent: none.',
  },
  MK_RUNS_DIR: { otherwise: 'runs', doc: 'Folder in which the reports of plans are kept (--runs).' },
  XDG_RUNTIME_DIR: { otherwise: '', doc: 'See MK_STATE_DIR.' },
  HOME: { otherwise: '', doc: 'See MK_STATE_DIR. Absent: the user’s entry in the system’s list.' },
  NO_COLOR: { otherwise: '', doc: 'Anything: no colour.' },
  TERM: { otherwise: '', doc: '`dumb`: no colour.' },
} as const;

/** The environment variables that docker-compose.yml reads besides those of mk-node. */
export const COMPOSE_VARIABLES = {
  CORES: { otherwise: '4', doc: 'How many cores; `--scale core=N` changes it on a running cluster.' },
  MK_TLS_FOLDER: {
    otherwise: '',
    doc: 'Folder of this host with certificates that user 1000 can read; the containers find it at /run/mk-tls, their MK_TLS_DIR.',
  },
  OTEL_EXPORTER_OTLP_ENDPOINT: {
    otherwise: '',
    doc: 'Endpoint to which every process exports its operations as spans, OTLP over HTTP, like `http://collector:4318`; mk-launch passes its own on. Absent: none.',
  },
  COMPOSE_PROJECT_NAME: {
    otherwise: '',
    doc: 'Compose’s own: names containers, network, volumes and image. Absent: the folder’s name; `-p` sets it, too.',
  },
} as const;
