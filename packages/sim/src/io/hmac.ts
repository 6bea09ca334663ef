/** HMAC-SHA-256 of the platform: a function of its arguments alone, so that a simulation stays repeatable. */
export { hmacSha256 } from '@mk/monitor-proto/io/crypto';
