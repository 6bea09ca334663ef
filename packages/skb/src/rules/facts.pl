/*  The facts that the knowledge base is told, so that rules may ask for them before anybody told any.
    Names and argument orders are Barrelfish's; see src/facts/machine-facts.ts for what each argument is.
*/

%!  known_fact(?Name, ?Arity) is nondet.
known_fact(cpu_thread, 4).
known_fact(corename, 3).
known_fact(cache, 5).
known_fact(memory_region, 5).
known_fact(memory_affinity, 3).
known_fact(cpu_affinity, 3).
known_fact(node_distance, 3).
known_fact(message_rtt, 6).
known_fact(nr_running_cores, 1).
known_fact(incarnation, 2).
known_fact(message_cost, 4).
known_fact(package_hops, 3).
known_fact(link, 2).
known_fact(nearest_node, 2).
known_fact(node_hops, 3).
known_fact(numa_node, 4).
known_fact(cpu_kind, 3).
known_fact(cpu_group, 4).
known_fact(memory_cache, 2).
known_fact(facts_left_out, 3).
known_fact(device, 2).
known_fact(driver_at, 2).
known_fact(host, 4).
known_fact(host_memory, 1).
known_fact(host_cpu, 4).
known_fact(host_cache, 4).
known_fact(host_node_distance, 3).
known_fact(core_host, 2).

:- forall(known_fact(Name, Arity), dynamic(Name/Arity)).
