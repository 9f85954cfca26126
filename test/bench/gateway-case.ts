// gateway-case.ts -- what is asked through the gateways

export interface GatewayCase {
  /** As in `--case`. */
  readonly name: string;
  readonly title: string;
  readonly method: 'GET' | 'POST';
  readonly path: string;
  /** Octets of the request's body. */
  readonly bodyBytes: number;
  /** Octets of the reply's body. */
  readonly replyBytes: number;
}

/** The one that the marks are about. */
export const MAIN_CASE: GatewayCase = {
  name: 'get-1k',
  title: 'GET, 1 KiB',
  method: 'GET',
  path: '/1k',
  bodyBytes: 0,
  replyBytes: 1024,
};

export const GATEWAY_CASES: readonly GatewayCase[] = [
  MAIN_CASE,
  {
    name: 'post-4k',
    title: 'POST of 4 KiB, 1 KiB back',
    method: 'POST',
    path: '/1k',
    bodyBytes: 4096,
    replyBytes: 1024,
  },
  { name: 'get-64k', title: 'GET, 64 KiB', method: 'GET', path: '/64k', bodyBytes: 0, replyBytes: 65_536 },
];
