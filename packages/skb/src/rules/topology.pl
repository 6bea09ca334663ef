/*  Who is where, and how far from whom. */

%!  running_core(?Core) is nondet.
%
%   A core that is a member; while nobody has reported members, every core of the machine.
running_core(Core) :-
    cpu_thread(Core, _, _, _),
    (   incarnation(_, _)
    ->  incarnation(Core, _)
    ;   true
    ).

%!  package_of(?Core, ?Package) is nondet.
package_of(Core, Package) :- cpu_thread(Core, Package, _, _).

%!  node_of(?Core, ?Node) is nondet.
node_of(Core, Node) :- cpu_affinity(Core, _, Node).

%!  cores(-Cores) is det.
%
%   The running cores, ascending.
cores(Cores) :- findall(Core, running_core(Core), All), sort(All, Cores).

%!  packages(-Packages) is det.
packages(Packages) :- findall(Package, ( running_core(Core), package_of(Core, Package) ), All), sort(All, Packages).

%!  cores_of_package(+Package, -Cores) is det.
cores_of_package(Package, Cores) :-
    findall(Core, ( cpu_thread(Core, Package, _, _), running_core(Core) ), All),
    sort(All, Cores).

%!  cores_of_node(+Node, -Cores) is det.
cores_of_node(Node, Cores) :-
    findall(Core, ( cpu_affinity(Core, _, Node), running_core(Core) ), All),
    sort(All, Cores).

%!  shares_cache(?A, ?B, ?Level) is nondet.
shares_cache(A, B, Level) :- cache(Name, A, Level, _, _), cache(Name, B, Level, _, _), A \== B.

%!  relation(+A, +B, -Relation) is semidet.
%
%   same_core, shared_cache, same_package, or hop_1, hop_2, … by the distance of their nodes where it is told, else by links
%   between packages.
relation(A, A, same_core) :- !.
relation(A, B, Relation) :- told_hops(A, B, Hops), !, atom_concat(hop_, Hops, Relation).
relation(A, B, shared_cache) :- shares_cache(A, B, _), !.
relation(A, B, Relation) :-
    package_of(A, From),
    package_of(B, To),
    (   From == To
    ->  Relation = same_package
    ;   package_hops(From, To, Hops),
        atom_concat(hop_, Hops, Relation)
    ),
    !.

%!  told_hops(+A, +B, -Hops) is semidet.
%
%   Hops between cores of two nodes, or of two packages of one node.
told_hops(A, B, Hops) :-
    nearest_node(A, From),
    nearest_node(B, To),
    \+ ( From == To, package_of(A, Package), package_of(B, Package) ),
    node_hops(From, To, Hops),
    !.

%!  slowed(+Core, +FastestNs, -Ns) is det.
%
%   The time that this core takes for what the fastest kind of core does in FastestNs.
slowed(Core, FastestNs, Ns) :- cpu_kind(Core, _, Speed), !, Ns is FastestNs / Speed.
slowed(_, Ns, Ns).

%!  send_ns(+From, +To, -Ns) is semidet.
%
%   How long a message occupies its sender.
send_ns(From, To, Ns) :- relation(From, To, Relation), message_cost(Relation, At, _, _), !, slowed(From, At, Ns).

%!  receive_ns(+From, +To, -Ns) is semidet.
receive_ns(From, To, Ns) :- relation(From, To, Relation), message_cost(Relation, _, _, At), !, slowed(To, At, Ns).

%!  latency_ns(+From, +To, -Ns) is semidet.
%
%   How long a message is under way: half the shortest measured round trip, or what the machine description says.
latency_ns(From, To, Ns) :- message_rtt(From, To, _, _, Min, _), !, Ns is Min / 2.
latency_ns(From, To, Ns) :- relation(From, To, Relation), message_cost(Relation, _, Ns, _), !.

%!  distance_ns(+From, +To, -Ns) is semidet.
%
%   From the start of a send to the end of its receipt on idle cores.
distance_ns(From, To, Ns) :-
    send_ns(From, To, Send),
    latency_ns(From, To, Latency),
    receive_ns(From, To, Receive),
    Ns is Send + Latency + Receive.

%!  cores_by_distance(+From, -Cores) is det.
%
%   The other running cores, nearest first; equally near ones ascending.
cores_by_distance(From, Cores) :-
    findall(Ns-To, ( running_core(To), To \== From, distance_ns(From, To, Ns) ), Pairs),
    sort(Pairs, Sorted),
    pairs_values(Sorted, Cores).
