import { BlockList, isIP, isIPv4 } from "node:net";

/** IPv4 networks that are not public: IANA's registry of special-purpose addresses (RFC 6890), and RFC 5771. */
const special4 = subnets("ipv4", [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 4],
  ["240.0.0.0", 4],
]);

/**
 * The global unicast IPv6 network. All others (loopback, link-local, unique local, multicast, IPv4-mapped, NAT64) are
 * not public, or lead to IPv4 addresses that bypass the list above.
 */
const global6 = subnets("ipv6", [["2000::", 3]]);
/** Networks within it that are not public: protocol assignments with Teredo, documentation, 6to4. */
const special6 = subnets("ipv6", [
  ["2001::", 23],
  ["2001:db8::", 32],
  ["2002::", 16],
  ["3fff::", 20],
]);

/** Whether an address is public. One with a zone (`fe80::1%eth0`) never is. */
export function isPublicAddress(address: string): boolean {
  if (isIPv4(address)) return !special4.check(address, "ipv4");
  if (isIP(address) !== 6 || address.includes("%")) return false;
  return global6.check(address, "ipv6") && !special6.check(address, "ipv6");
}

function subnets(family: "ipv4" | "ipv6", list: readonly (readonly [string, number])[]): BlockList {
  const blocks = new BlockList();
  for (const [network, prefix] of list) blocks.addSubnet(network, prefix, family);
  return blocks;
}
