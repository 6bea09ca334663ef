/** The platform's HMAC-SHA-256: a function of its arguments alone, so a simulation stays repeatable. */
export { hmacSha256 } from '@mk/monitor-proto/io/crypto';
