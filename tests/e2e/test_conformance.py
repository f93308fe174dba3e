"""The conformance statement is true of an installation at work, as its peers see it."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from pydicom import Dataset
from pydicom._uid_dict import UID_dictionary
from pydicom.uid import NuclearMedicineImageStorage
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.pdu_primitives import AsynchronousOperationsWindowNegotiation, UserIdentityNegotiation
from pynetdicom.presentation import build_role
from pynetdicom.sop_class import Verification

from scintiflow.cli.conformance.content import items, shown
from tests.pacs import Pacs
from tests.stack import EXAMPLES, Stack, copies, send

PAGE = Path("docs/conformance.md").read_text()
AT_ONCE = 127  # PS3.8 9.3.2.2 has numbers for 128 presentation contexts, and one is for Verification


def told(title: str) -> list[str]:
    """Return the UIDs in the table under `title`."""
    table = PAGE.partition(f"\n{title}:\n\n")[2].partition("\n\n")[0]
    return re.findall(r"`([0-9.]+)`", table)


def annex(title: str) -> str:
    """Return what stands under one heading."""
    return PAGE.partition(f"\n{title}")[2].partition("\n##")[0]


SYNTAXES, CLASSES = told("Transfer syntaxes"), told("SOP classes")


def of_dicom(*kinds: str) -> list[str]:
    """Return every UID that the standard knows of these kinds."""
    return [uid for uid, facts in UID_dictionary.items() if facts[1] in kinds]


def associate(stack: Stack, contexts: Iterable[tuple[str, list[str]]], *negotiated: object) -> Association:
    """Ask for presentation contexts, and for Verification so that one is accepted; release the association."""
    entity = AE("PACS")
    entity.add_requested_context(Verification)
    for sop_class, syntaxes in contexts:
        entity.add_requested_context(sop_class, syntaxes)
    association = entity.associate(
        "127.0.0.1", stack.dicom_port, ae_title="SCINTIFLOW", ext_neg=list(negotiated) or None
    )
    assert association.is_established
    association.release()
    return association


def refused(stack: Stack, contexts: list[tuple[str, list[str]]]) -> Iterator[str]:
    """Yield the abstract syntax of each context that is not accepted."""
    for at in range(0, len(contexts), AT_ONCE):
        for context in associate(stack, contexts[at : at + AT_ONCE]).rejected_contexts:
            yield context.abstract_syntax


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_what_is_listed_is_accepted(stack: Stack, syntax: str) -> None:
    """Every SOP class of the statement is accepted in every transfer syntax of it."""
    assert list(refused(stack, [(sop_class, [syntax]) for sop_class in CLASSES])) == []


def test_a_class_that_is_not_listed_is_refused(stack: Stack) -> None:
    """No other SOP class that DICOM has or had is accepted, in whatever transfer syntax of the statement."""
    others = sorted(set(of_dicom("SOP Class", "Meta SOP Class")) - set(CLASSES))
    assert list(refused(stack, [(sop_class, SYNTAXES) for sop_class in others])) == others


def test_a_transfer_syntax_that_is_not_listed_is_refused(stack: Stack) -> None:
    """No other transfer syntax that DICOM has or had is accepted for a scan."""
    others = sorted(set(of_dicom("Transfer Syntax")) - set(SYNTAXES))
    contexts = [(str(NuclearMedicineImageStorage), [syntax]) for syntax in others]
    assert len(list(refused(stack, contexts))) == len(others)


def test_of_several_transfer_syntaxes_the_first_of_the_list_is_taken(stack: Stack) -> None:
    """The order in which a peer offers them does not matter."""
    association = associate(stack, [(NuclearMedicineImageStorage, SYNTAXES[::-1])])
    taken = {context.abstract_syntax: context.transfer_syntax for context in association.accepted_contexts}
    assert taken[NuclearMedicineImageStorage] == [SYNTAXES[0]]


def test_it_presents_itself_as_stated(stack: Stack) -> None:
    """Implementation and PDU size are those stated; nothing that is offered beyond is taken up."""
    window, identity = AsynchronousOperationsWindowNegotiation(), UserIdentityNegotiation()
    window.maximum_number_operations_invoked = window.maximum_number_operations_performed = 5
    identity.user_identity_type, identity.primary_field, identity.positive_response_requested = 1, b"me", True
    role = build_role(NuclearMedicineImageStorage, scu_role=True, scp_role=True)
    us = associate(stack, [(NuclearMedicineImageStorage, SYNTAXES[:1])], window, identity, role).acceptor
    for stated in (
        f"| Implementation class UID | `{us.implementation_class_uid}` |",
        f"| Implementation version name | `{us.implementation_version_name}` |",
        f"| Maximum PDU size received | {us.maximum_length} |",
    ):
        assert stated in PAGE
    assert us.asynchronous_operations == (1, 1)
    assert us.user_identity is None
    assert us.role_selection == {}


@pytest.fixture(scope="module")
def returned(stack: Stack, pacs: Pacs) -> tuple[list[Dataset], list[str]]:
    """The results of one study, and what their sender said it was."""
    presented: list[str] = []

    def note(event: evt.Event) -> None:
        presented.append(str(event.assoc.requestor.implementation_class_uid))

    pacs._server.bind(evt.EVT_REQUESTED, note)
    (study,) = copies(EXAMPLES[:1], 1)
    assert send(stack.dicom_port, [study]) == [0]
    assert stack.outcome(study.StudyInstanceUID).state == "delivered"
    pacs._server.unbind(evt.EVT_REQUESTED, note)
    return pacs.of_study(study.StudyInstanceUID), presented


def test_results_are_of_the_classes_that_are_stated(returned: tuple[list[Dataset], list[str]]) -> None:
    """Each result is of a class, in the transfer syntax and from the implementation that the statement names."""
    results, presented = returned
    assert {str(result.SOPClassUID) for result in results} == set(told("Results' SOP classes"))
    assert {str(result.file_meta.TransferSyntaxUID) for result in results} == set(told("Results' transfer syntax"))
    assert all(f"| Implementation class UID | `{uid}` |" in PAGE for uid in presented)
    assert presented


def test_results_have_no_attribute_that_is_not_stated(returned: tuple[list[Dataset], list[str]]) -> None:
    """Annex A lists each attribute of each result, and each that is stated to be there always is."""
    for result in returned[0]:
        section = annex("### A.2" if result.Modality == "SR" else "### A.3")
        stated = dict(re.findall(r"^\| (\w+) \| \(.*?\) \|.*?\|.*?\| (\w+) \|", section, re.MULTILINE))
        assert set(result.dir()) <= stated.keys()
        assert {name for name, presence in stated.items() if presence in ("ALWAYS", "VNAP", "EMPTY")} <= set(
            result.dir()
        )


def test_reports_keep_to_the_templates_and_terms_that_are_stated(returned: tuple[list[Dataset], list[str]]) -> None:
    """Annex B names the template and the concept of each content item of a report."""
    (report,) = (result for result in returned[0] if result.Modality == "SR")
    found = [item for _, item in items(report)]
    for item in found:
        if "ContentTemplateSequence" in item:
            assert f"| {item.ContentTemplateSequence[0].TemplateIdentifier} |" in annex("## Annex B")
        if "ConceptNameCodeSequence" in item:
            assert shown(item.ConceptNameCodeSequence[0]) in annex("## Annex B")
    assert len(found) > 20
