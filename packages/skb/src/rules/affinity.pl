/*  Memory near cores, and cores near memory. */

%!  memory_by_distance(+Core, -Regions) is det.
%
%   Every memory as memory(Distance, Node, Base, Bytes), nearest first.
memory_by_distance(Core, Regions) :-
    node_of(Core, Here),
    !,
    findall(memory(Distance, Node, Base, Bytes),
        ( memory_affinity(Base, Bytes, Node), node_distance(Here, Node, Distance) ),
        All),
    sort(All, Regions).

%!  nearest_memory(+Core, -Node, -Base, -Bytes) is semidet.
nearest_memory(Core, Node, Base, Bytes) :- memory_by_distance(Core, [memory(_, Node, Base, Bytes)|_]).

%!  nearest_memory(+Core, +AtLeastBytes, -Node, -Base, -Bytes) is semidet.
%
%   The nearest memory that is large enough.
nearest_memory(Core, AtLeastBytes, Node, Base, Bytes) :-
    memory_by_distance(Core, Regions),
    member(memory(_, Node, Base, Bytes), Regions),
    Bytes >= AtLeastBytes,
    !.

%!  local_memory(?Core, ?Base, ?Bytes) is nondet.
local_memory(Core, Base, Bytes) :- node_of(Core, Node), memory_affinity(Base, Bytes, Node).

%!  cores_near_address(+Address, -Cores) is semidet.
%
%   The running cores of the node that holds a physical address; of the nearest node with cores if it has none.
cores_near_address(Address, Cores) :-
    memory_affinity(Base, Bytes, Node),
    Base =< Address,
    Address < Base + Bytes,
    !,
    findall(Distance-Other, node_distance(Node, Other, Distance), Pairs),
    sort(Pairs, Sorted),
    member(_-Near, Sorted),
    cores_of_node(Near, Cores),
    Cores \== [],
    !.
