"""The codes and units that records are written with, several systems for each thing.

Source of every code: the clinical notes of the project (`codes.json`, section 4), which name theirs; exceptions say so.
"""

from __future__ import annotations

from typing import Final

LOINC: Final = "http://loinc.org"
SNOMED: Final = "http://snomed.info/sct"
ICD10: Final = "http://hl7.org/fhir/sid/icd-10"
ICD10_CM: Final = "http://hl7.org/fhir/sid/icd-10-cm"
ICD10_GM: Final = "http://fhir.de/CodeSystem/bfarm/icd-10-gm"
ICD10_CN: Final = "http://example.org/fhir/CodeSystem/icd-10-cn-clinical"
ICD9_CM: Final = "http://hl7.org/fhir/sid/icd-9-cm"
ICDO3: Final = "http://terminology.hl7.org/CodeSystem/icd-o-3"
ATC: Final = "http://www.whocc.no/atc"
RXNORM: Final = "http://www.nlm.nih.gov/research/umls/rxnorm"
NCIT: Final = "http://ncicb.nci.nih.gov/xml/owl/EVS/Thesaurus.owl"
AJCC: Final = "http://cancerstaging.org"
UICC: Final = "https://www.uicc.org/resources/tnm"
MII_EDITION: Final = (
    "https://www.medizininformatik-initiative.de/fhir/ext/modul-onko/CodeSystem/mii-cs-onko-tnm-version"
)
LOCAL: Final = "http://example.org/fhir/CodeSystem/lis"

Concept = tuple[str, str, str]
"""System, code, text."""

NPC: Final[tuple[Concept, ...]] = (
    (ICD10, "C11.9", "Malignant neoplasm of nasopharynx"),
    (ICD10, "C11.2", "Malignant neoplasm of lateral wall of nasopharynx"),
    (ICD10_CM, "C11.9", "Malignant neoplasm of nasopharynx, unspecified"),
    (ICD10_CM, "C11.0", "Malignant neoplasm of superior wall of nasopharynx"),
    (ICD10_GM, "C11.9", "Bösartige Neubildung des Nasopharynx"),
    (ICD10_CN, "C11.900", "鼻咽恶性肿瘤"),
    (SNOMED, "449248000", "Nasopharyngeal carcinoma"),
    (SNOMED, "187692001", "Malignant tumor of nasopharynx"),
)
NPC_NONKERATINIZING: Final[tuple[Concept, ...]] = (
    (SNOMED, "707705008", "Nonkeratinizing carcinoma of the nasopharynx"),
    (SNOMED, "422541001", "Undifferentiated carcinoma of nasopharynx"),
)
LYMPHOMA: Final[tuple[Concept, ...]] = (
    (SNOMED, "448371005", "Non-Hodgkin's lymphoma of nasopharynx"),
    (SNOMED, "448319002", "Diffuse non-Hodgkin's lymphoma of nasopharynx"),
)
# ICD-10 titles: WHO ICD-10 (the same table as the C11 entries of the notes).
OTHER_CANCERS: Final[tuple[Concept, ...]] = (
    (ICD10, "C34.9", "Malignant neoplasm of bronchus or lung"),
    (ICD10, "C50.9", "Malignant neoplasm of breast"),
    (ICD10_CM, "C18.9", "Malignant neoplasm of colon, unspecified"),
    (ICD10_GM, "C61", "Bösartige Neubildung der Prostata"),
    (ICD10, "C22.0", "Liver cell carcinoma"),
)
ORDINARY: Final[tuple[Concept, ...]] = (
    (ICD10, "I10", "Essential (primary) hypertension"),
    (ICD10, "E11.9", "Type 2 diabetes mellitus without complications"),
    (ICD10_CM, "E78.5", "Hyperlipidemia, unspecified"),
    (ICD10, "B18.1", "Chronic viral hepatitis B without delta-agent"),
    (ICD10_GM, "H90.3", "Beidseitiger Hörverlust durch Schallempfindungsstörung"),
    (SNOMED, "38341003", "Hypertensive disorder"),  # published Synthea records
)
FAMILY_HISTORY: Final[Concept] = (ICD10, "Z80.8", "Family history of malignant neoplasm of other organs or systems")
NECK_NODES: Final[Concept] = (ICD10, "C77.0", "Secondary malignant neoplasm of lymph nodes of head, face and neck")
METASTASES: Final[dict[str, tuple[Concept, ...]]] = {
    "bone": (
        (ICD10, "C79.5", "Secondary malignant neoplasm of bone and bone marrow"),
        (SNOMED, "94222008", "Secondary malignant neoplasm of bone"),
    ),
    "lung": (
        (ICD10, "C78.0", "Secondary malignant neoplasm of lung"),
        (ICD10_CM, "C78.00", "Secondary malignant neoplasm of unspecified lung"),
        (SNOMED, "94391008", "Secondary malignant neoplasm of lung"),
    ),
    "liver": (
        (ICD10, "C78.7", "Secondary malignant neoplasm of liver"),
        (ICD10_CM, "C78.7", "Secondary malignant neoplasm of liver and intrahepatic bile duct"),
        (SNOMED, "94381002", "Secondary malignant neoplasm of liver"),
    ),
    "nodes": (
        (ICD10, "C77.1", "Secondary malignant neoplasm of intrathoracic lymph nodes"),
        (SNOMED, "94181007", "Secondary malignant neoplasm of axillary lymph nodes"),
    ),
}
# Qualifier values of SNOMED CT, as FHIR's own examples use them.
ABSENT: Final[tuple[Concept, ...]] = ((SNOMED, "2667000", "Absent"), (SNOMED, "260415000", "Not detected"))

HISTOLOGY_OF: Final[tuple[Concept, ...]] = (
    (LOINC, "31206-6", "Histology and behavior"),
    (LOINC, "59847-4", "Histology and Behavior ICD-O-3 Cancer"),
)
HISTOLOGY: Final[dict[str, tuple[Concept, ...]]] = {
    "nonkeratinizing": (
        (ICDO3, "8072/3", "Squamous cell carcinoma, large cell, nonkeratinizing"),
        (ICDO3, "8073/3", "Squamous cell carcinoma, small cell, nonkeratinizing"),
        (ICDO3, "8020/3", "未分化型非角化性癌"),
        (ICDO3, "8082/3", "Lymphoepithelial carcinoma"),
        (SNOMED, "707705008", "Nonkeratinizing carcinoma of the nasopharynx"),
        (SNOMED, "422541001", "Undifferentiated carcinoma of nasopharynx"),
    ),
    "keratinizing": (
        (ICDO3, "8071/3", "Squamous cell carcinoma, keratinizing"),
        (ICDO3, "8083/3", "Basaloid squamous cell carcinoma"),
        (ICDO3, "8140/3", "Adenocarcinoma"),
        (SNOMED, "698011002", "Keratinizing squamous cell carcinoma of nasopharynx"),
    ),
    "unspecified": (
        (ICDO3, "8070/3", "Squamous cell carcinoma, NOS"),
        (ICDO3, "8010/3", "Carcinoma, NOS"),
    ),
}
OF_A_METASTASIS: Final[Concept] = (ICDO3, "8070/6", "Squamous cell carcinoma, metastatic")

EDITIONS: Final[dict[str, tuple[Concept, ...]]] = {
    "9": ((SNOMED, "1269566009", "AJCC version 9"), (NCIT, "C186613", "AJCC Cancer Staging System Version 9")),
    "8": ((SNOMED, "897275008", "AJCC 8th edition"), (MII_EDITION, "8", "8. Auflage")),
    "7": ((SNOMED, "443830009", "AJCC 7th edition"), (MII_EDITION, "7", "7. Auflage")),
}
M_OF: Final[tuple[Concept, ...]] = (
    (SNOMED, "399387003", "cM category"),
    (SNOMED, "277208005", "M category"),
    (LOINC, "21907-1", "Distant metastases.clinical [Class] Cancer"),
)
GROUP_OF: Final[tuple[Concept, ...]] = (
    (SNOMED, "399390009", "TNM stage grouping"),
    (SNOMED, "399537006", "Clinical TNM stage grouping"),
    (LOINC, "21908-9", "Stage group.clinical Cancer"),
)
M_VALUES: Final[dict[str, tuple[Concept, ...]]] = {
    "M0": ((SNOMED, "1229901006", "cM0"), (SNOMED, "1352512001", "cM0"), (AJCC, "cM0", "cM0")),
    "M1": ((SNOMED, "1229903009", "cM1"), (SNOMED, "1352513006", "cM1"), (AJCC, "cM1", "cM1")),
    "M1a": ((SNOMED, "1229904003", "cM1a"), (SNOMED, "1352517007", "cM1a"), (AJCC, "cM1a", "cM1a")),
    "M1b": ((SNOMED, "1229907005", "cM1b"), (SNOMED, "1352514000", "cM1b"), (AJCC, "cM1b", "cM1b")),
}
GROUP_VALUES: Final[dict[str, tuple[Concept, ...]]] = {
    "I": ((SNOMED, "1222723001", "Stage I"), (SNOMED, "1352927005", "Stage I"), (AJCC, "1", "1")),
    "II": ((SNOMED, "1222765007", "Stage II"), (SNOMED, "1352944009", "Stage II"), (UICC, "II", "II")),
    "III": ((SNOMED, "1222801008", "Stage III"), (SNOMED, "1352871005", "Stage III"), (AJCC, "3", "3")),
    "IV": ((SNOMED, "1222837003", "Stage IV"), (SNOMED, "1352913000", "Stage IV"), (UICC, "IV", "IV")),
    "IVA": ((SNOMED, "1222838008", "Stage IVA"), (SNOMED, "1352822000", "Stage IVA"), (AJCC, "4A", "4A")),
    "IVB": ((SNOMED, "1222841004", "Stage IVB"), (SNOMED, "1352836005", "Stage IVB"), (AJCC, "4B", "4B")),
    "IVC": ((SNOMED, "1222842006", "Stage IVC"), (SNOMED, "1352921006", "Stage IVC"), (UICC, "IVC", "IVC")),
}
T_OF: Final[Concept] = (SNOMED, "399504009", "cT category")
N_OF: Final[Concept] = (SNOMED, "399534004", "cN category")
T_VALUES: Final[tuple[Concept, ...]] = ((SNOMED, "1228929004", "cT2"), (SNOMED, "1228938002", "cT3"))
N_VALUES: Final[tuple[Concept, ...]] = ((SNOMED, "1229973008", "cN1"), (SNOMED, "1229978004", "cN2"))

ECOG_OF: Final[tuple[Concept, ...]] = (
    (LOINC, "89247-1", "ECOG Performance Status score"),
    (SNOMED, "423740007", "ECOG"),
)
ECOG_LOINC: Final = ("LA9622-7", "LA9623-5", "LA9624-3", "LA9625-0", "LA9626-8")
ECOG_SNOMED: Final = ("425389002", "422512005", "422894000", "423053003", "423237006")
KARNOFSKY_OF: Final[Concept] = (LOINC, "89243-0", "Karnofsky Performance Status score")
RESPONSE_OF: Final[tuple[Concept, ...]] = (
    (LOINC, "97509-4", "Cancer disease progression"),
    (LOINC, "88040-1", "Response to cancer treatment"),
    (LOINC, "21976-6", "Cancer status"),
)
RESPONSES: Final[dict[str, tuple[Concept, ...]]] = {
    "CR": (
        (LOINC, "LA28366-5", "Complete response"),
        (SNOMED, "550991000124107", "Malignant neoplasm in full remission"),
    ),
    "PR": ((LOINC, "LA28369-9", "Partial response"), (NCIT, "C18058", "Partial Response")),
    "SD": ((LOINC, "LA28371-5", "Stable disease"), (SNOMED, "359746009", "Patient's condition stable")),
    "PD": ((LOINC, "LA28370-7", "Progressive disease"), (SNOMED, "271299001", "Patient's condition worsened")),
    "trend": ((SNOMED, "268910001", "Patient's condition improved"),),
}
LESION_OF: Final[tuple[Concept, ...]] = ((LOINC, "21889-1", "Size Tumor"), (LOINC, "33728-7", "Size.maximum dimension"))

DRUGS: Final[dict[str, tuple[Concept, ...]]] = {
    "cisplatin": ((ATC, "L01XA01", "cisplatin"), (RXNORM, "2555", "cisplatin"), (SNOMED, "387318005", "顺铂")),
    "carboplatin": ((ATC, "L01XA02", "carboplatin"), (RXNORM, "40048", "carboplatin")),
    "gemcitabine": (
        (ATC, "L01BC05", "gemcitabine"),
        (RXNORM, "12574", "gemcitabine"),
        (SNOMED, "386920008", "吉西他滨"),
    ),
    "docetaxel": ((ATC, "L01CD02", "docetaxel"), (RXNORM, "72962", "docetaxel")),
    "toripalimab": ((ATC, "L01FF13", "toripalimab"),),
    "tislelizumab": ((ATC, "L01FF09", "tislelizumab"),),
    "camrelizumab": ((ATC, "L01FF14", "camrelizumab"),),
    "pembrolizumab": ((ATC, "L01FF02", "pembrolizumab"), (RXNORM, "1547545", "pembrolizumab")),
    "cetuximab": ((ATC, "L01FE01", "cetuximab"), (RXNORM, "318341", "cetuximab")),
    "antineoplastic": ((ATC, "L01", "antineoplastic agent"),),
    "atezolizumab": ((ATC, "L01FF05", "atezolizumab"), (RXNORM, "1792776", "atezolizumab")),
}
# No ATC code in the index of 2026-04-25: known by name only.
NAMED_PD1: Final = ("信迪利单抗", "sintilimab", "派安普利单抗")
ANTICOAGULANTS: Final[tuple[Concept, ...]] = (
    (RXNORM, "11289", "warfarin"),
    (RXNORM, "1114195", "rivaroxaban"),
    (RXNORM, "67108", "enoxaparin"),
    (ATC, "B01AX05", "fondaparinux"),
)
ANTICOAGULATED: Final[tuple[Concept, ...]] = (
    (ICD10, "Z92.1", "Personal history of long-term (current) use of anticoagulants"),
    (ICD10_CM, "Z79.01", "Long term (current) use of anticoagulants"),
)
# B01AC, platelet aggregation inhibitors, does not exempt; aspirin is B01AC06 in the ATC index.
HARMLESS_DRUGS: Final[tuple[Concept, ...]] = (
    (ATC, "B01AC06", "acetylsalicylic acid"),
    (ATC, "H02AB02", "dexamethasone"),
    (RXNORM, "3264", "dexamethasone"),
)
PROCEDURES: Final[dict[str, tuple[Concept, ...]]] = {
    "radiotherapy": (
        (SNOMED, "1217123003", "Radiotherapy course of treatment"),
        (SNOMED, "441799006", "Intensity modulated radiation therapy"),
        (ICD9_CM, "92.29", "Other radiotherapeutic procedure"),
    ),
    "chemotherapy": ((SNOMED, "367336001", "Chemotherapy"), (ICD9_CM, "99.25", "Cancer chemotherapy")),
    "nasopharyngectomy": ((SNOMED, "713188009", "Endoscopic nasopharyngectomy"),),
    "neck-dissection": ((SNOMED, "178283002", "Neck dissection"),),
}
PRIMARY_OR_NECK: Final[tuple[Concept, ...]] = (
    (SNOMED, "71836000", "Nasopharyngeal structure"),
    (SNOMED, "45048000", "Neck structure"),
)
BIOPSY: Final[Concept] = (SNOMED, "86273004", "Biopsy")
